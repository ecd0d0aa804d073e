import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct EnvironmentVariablesTests {
    private static let values: [(String, String?)] = [
        ("x", "x"), (" x\r\n", "x"), ("\tx y ", "x y"), ("", nil), (" \r\n\t", nil), ("\u{A0}x", "\u{A0}x"),
    ]

    @Test(arguments: values)
    func `the white space around a value counts for nothing`(text: String, value: String?) {
        #expect(EnvironmentVariables(["N": text])["N"] == value)
    }

    @Test func `the first variable is the first with something in it`() {
        let environment = EnvironmentVariables(["A": " ", "B": "b\r"])
        let found = environment.first(of: ["A", "B"])
        #expect(found?.name == "B")
        #expect(found?.value == "b")
    }

    private static let paths = [
        ("~/x", "/home/u/x"), ("~/", "/home/u/"), ("~", "~"), ("~other/x", "~other/x"), ("/~/x", "/~/x"), ("x", "x"),
    ]

    @Test(arguments: paths)
    func `a leading tilde and slash are the home directory`(path: String, expanded: String) {
        #expect(EnvironmentVariables(["HOME": "/home/u"]).expandingHome(path) == expanded)
    }
}
