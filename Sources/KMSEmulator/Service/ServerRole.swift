import KMSJSON
import KMSPlatform

/// The part of a VPC server's metadata service that provides the credentials of the server's role.
///
/// | request | answer |
/// |---|---|
/// | `GET /latest/meta-data/iam/security-credentials/` | the role's id, as text |
/// | `GET /latest/meta-data/iam/security-credentials/{roleId}` | `{"AccessKeyId","SecretAccessKey","Expiration","Code","Message"}` |
struct ServerRole: Sendable {
    static let path: StaticString = "/latest/meta-data/iam/security-credentials/"

    private let id: String
    private let accessKey: Seed.AccessKey
    private let validSeconds: Int

    /// Nil if the seed has no access key with the id that its role names.
    init?(_ seed: Seed) {
        guard let accessKey = seed.accessKeys.first(where: { $0.id == seed.role.accessKeyID }) else { return nil }
        id = seed.role.id
        self.accessKey = accessKey
        validSeconds = seed.role.validSeconds
    }

    /// - Parameters:
    ///   - roleID: the rest of the path; if empty, the answer is the role's id.
    ///   - wallClockMilliseconds: the service's clock, in milliseconds since 1970.
    func answer(method: String, roleID: String, wallClockMilliseconds: Int64) -> Answer {
        guard method == "GET" else {
            return .text(status: 405, "The method must be GET.\n", headers: [Answer.Header("Allow", "GET")])
        }
        if roleID.isEmpty { return .text(status: 200, id) }
        guard roleID == id else { return .text(status: 404, "No such role.\n") }
        let expiration = CivilTime(seconds: wallClockMilliseconds / 1_000 + Int64(validSeconds))
        return .json(status: 200) { json in
            json.object { object in
                object.member("AccessKeyId", accessKey.id)
                object.member("SecretAccessKey", accessKey.secret)
                // Without milliseconds.
                object.member("Expiration", "\(expiration.rfc3339.dropLast(".000Z".count))Z")
                object.member("Code", "Success")
                object.member("Message", "")
            }
        }
    }
}
