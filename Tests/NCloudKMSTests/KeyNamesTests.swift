import NCloudKMS
import Testing

@Suite struct KeyNamesTests {
    @Test(arguments: [
        "a", "A-Z.a_z~0", "...", ".a", "-", String(repeating: "x", count: 256),
        "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4y5z6",
    ])
    func `a tag of unreserved characters is taken as it is`(text: String) throws {
        #expect(try KeyTag(text).text == text)
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "a%20", "ä", "a\n", "a?", String(repeating: "x", count: 257)])
    func `any other tag is refused by name`(text: String) {
        let error = #expect(throws: InvalidValue.self) { try KeyTag(text) }
        #expect(error?.name == "keyTag")
    }

    @Test func `versions run from 1 to 100`() throws {
        #expect(try KeyVersion(1).number == 1)
        #expect(try KeyVersion(100).number == 100)
        for number in [0, -1, 101, .max, .min] {
            let error = #expect(throws: InvalidValue.self) { try KeyVersion(number) }
            #expect(error?.description == "keyVersion must be from 1 to 100")
        }
    }
}
