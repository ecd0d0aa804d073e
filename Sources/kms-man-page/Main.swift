import KMSJSON
import KMSPlatform

/// A filter for the build: `PROGRAM --experimental-dump-help | kms-man-page > PROGRAM.1`.
///
/// The terms of this program:
/// - description: ArgumentParser's JSON about a command, its subcommands, arguments and options
/// - section: a part of a manual page; `ManualSections` has those that the description lacks
/// - prose: text in paragraphs; literal lines are shown unchanged
@main
enum Main {
    /// ArgumentParser's description of one of our programs has about 100 KB.
    private static let maximumBytes = 16 << 20

    private static let sections = [
        "ncloud-kms-rpc": ServiceManual.sections, "ncloud-kms-emulator": EmulatorManual.sections,
    ]

    static func main() {
        do {
            let text = try FileContents.of(descriptor: STDIN_FILENO, maximumBytes: maximumBytes)
            guard let program = try JSONValue(parsing: text)["command"].flatMap(CommandDescription.init),
                let sections = sections[program.name]
            else { return fail("stdin is not the description of one of our programs") }
            let page = ManualPage.text(of: program, sections, date: date)
            try FileContents.append(Array(page.utf8), to: STDOUT_FILENO)
        } catch {
            fail("\(error)")
        }
    }

    private static func fail(_ problem: String) {
        // If this can't be written, the exit status still reports the failure.
        try? FileContents.append(Array("kms-man-page: \(problem)\n".utf8), to: STDERR_FILENO)
        exit(EXIT_FAILURE)
    }

    /// Today, or the date that a reproducible build sets (https://reproducible-builds.org/specs/source-date-epoch/).
    private static var date: String {
        let months = [
            "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November",
            "December",
        ]
        let named = getenv("SOURCE_DATE_EPOCH").flatMap { Int64(String(cString: $0)) }
        let time = CivilTime(seconds: named ?? SystemClock().wallClockMilliseconds / 1_000)
        return "\(months[time.month - 1]) \(time.day), \(time.year)"
    }
}
