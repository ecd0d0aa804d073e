import KMSCommands
import KMSPlatform

/// The program as a plugin: it has no flags and no commands.
enum SigstoreProgram {
    static func run() -> Never {
        let plugin = SigstorePlugin { () throws(CommandFailure) in try OneShot.client([:], needsStdout: true) }
        let answer = plugin.answer(to: ProcessArguments.bytes ?? [])
        do throws(CommandFailure) {
            try AnswerTarget.stdout.write(answer.bytes)
            Exit.now(answer.status)
        } catch {
            Exit.now(error)
        }
    }
}
