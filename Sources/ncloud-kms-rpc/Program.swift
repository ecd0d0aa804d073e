import ArgumentParser
import KMSService

@main
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ncloud-kms-rpc",
        abstract: "Public keys of NAVER Cloud's Key Management Service, over JSON-RPC 2.0 on stdin and stdout.",
        usage: "ncloud-kms-rpc [<options>] [<subcommand>]",
        discussion: """
            Without a subcommand it serves: one JSON-RPC request a line on stdin, one answer a line on stdout, logs on \
            stderr. Credentials come from NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY, from NCLOUD_KMS_TOKEN, \
            from the profile file, or from the server's role; never from the command line.
            """,
        version: "ncloud-kms-rpc \(ProgramVersion.text)",
        subcommands: [Serve.self])

    @OptionGroup var options: ServiceOptions

    func run() throws {
        try Serve.serve(flags: options.flags)
    }
}
