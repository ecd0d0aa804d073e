import Foundation
import Testing

/// Runs the checks of `make fuzz` on the inputs that it has found so far.
@Suite struct CorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Corpus", isDirectory: true)

    @Test(arguments: FuzzTarget.all.map(\.name))
    func `every check holds for every input of the corpus`(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let folder = Self.folder.appendingPathComponent(name, isDirectory: true)
        let inputs = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(inputs.count >= 5)
        for input in inputs {
            #expect(throws: Never.self, "\(input.path)") { try target.check(Array(Data(contentsOf: input))) }
        }
        #expect(throws: Never.self, "the empty input") { try target.check([]) }
    }

    @Test func `every folder of the corpus belongs to a target, and all are small`() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
        let paths = try FileManager.default.subpathsOfDirectory(atPath: Self.folder.path)
        let bytes = try paths.reduce(0) { sum, path in
            let attributes = try FileManager.default.attributesOfItem(
                atPath: Self.folder.appendingPathComponent(path).path)
            return sum + (attributes[.type] as? FileAttributeType == .typeRegular ? attributes[.size] as? Int ?? 0 : 0)
        }
        #expect(bytes < 2 << 20)
    }
}
