/// A question to the metadata service of a server: a `GET`, sent directly and never through a proxy.
package struct MetadataRequest: Equatable, Sendable {
    package static let method = "GET"
    package static let connectTimeout = Duration.seconds(1)
    package static let timeout = Duration.seconds(3)

    package let endpoint: Endpoint
    package let target: String
}
