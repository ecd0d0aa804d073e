/// What somebody who starts the program by hand is told.
enum TerminalHelp {
    static let text = """
        ncloud-kms-rpc speaks JSON-RPC 2.0: one request a line here, one answer a line on stdout. Programs spawn it with
        pipes; to try it by hand, paste this line (ctrl-D ends it, --help lists the options):
        {"jsonrpc":"2.0","id":1,"method":"getPublicKey","params":{"keyTag":"YOUR-KEY-TAG"}}
        """
}
