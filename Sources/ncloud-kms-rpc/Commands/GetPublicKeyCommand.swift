import ArgumentParser
import JSONRPC
import KMSService
import NCloudKMS
import Platform

/// One key, alone on stdout.
struct GetPublicKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-public-key", abstract: "Print a public key.",
        discussion: """
            The key alone is on stdout; an error is one line on stderr, which begins with its type. Exit status: 0, or \
            1 after an error, which a stdout that takes no key is, too; 64 for a wrong command line, 78 for a wrong configuration.
            """)

    @OptionGroup var key: KeyArguments

    @Option(
        help: """
            pem, as the service sent it; der, binary; jwk; ssh, a line of authorized_keys; pkcs1, for RSA alone; json, \
            the result of getPublicKey.
            """)
    var format = KeyOutput.pem

    @ParentCommand var program: Program
    @OptionGroup var options: ServiceOptions

    func run() {
        let flags = program.options.flags(overriddenBy: options)
        let client = OneShot(flags: flags, withoutOutput: EXIT_FAILURE).client
        do throws(RPCError) {
            Exit.now(writing: try output(of: client), failureStatus: EXIT_FAILURE)
        } catch {
            Exit.now(error, status: EXIT_FAILURE)
        }
    }

    private func output(of client: KMSClient) throws(RPCError) -> [UInt8] {
        do {
            let answer = try client.waitForKey(PublicKeyQuery(keyTag: key.keyTag, version: key.keyVersion))
            return try format.bytes(of: answer)
        } catch let error as KMSError {
            throw RPCError(error)
        } catch let error as RPCError {
            throw error
        } catch {
            throw .internalError("\(error)")
        }
    }
}
