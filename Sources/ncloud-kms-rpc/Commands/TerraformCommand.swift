import ArgumentParser
import KMSService
import NCloudKMS
import Platform

/// A program for Terraform's `external` data source.
struct TerraformCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terraform", abstract: "Answer a query of Terraform's external data source.",
        usage: "ncloud-kms-rpc terraform [<options>]",
        discussion: """
            Reads one JSON object of strings on stdin, {"key_tag": "…", "key_version": "…"}, the version being \
            optional. Prints one of strings: key_tag, key_version if it was given, public_key (the PEM as the service \
            sent it), spki, spki_sha256, key_type, key_size, curve, jwk, ssh and ssh_fingerprint; what a key does not \
            have is left out. An error is one line on stderr.

              data "external" "key" {
                program = ["ncloud-kms-rpc", "terraform"]
                query   = { key_tag = "YOUR-KEY-TAG" }
              }

            \(ExitStatus.helpText(of: .terraform))
            """)

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup(visibility: .hidden) var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    func run() {
        do throws(CommandFailure) {
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            let client = try OneShot(flags: flags, needsStdout: true).client
            let query = try query()
            try AnswerTarget.stdout.write(answer(to: query, from: client))
            Exit.now(.success)
        } catch {
            Exit.now(error)
        }
    }

    private func query() throws(CommandFailure) -> PublicKeyQuery {
        let text: [UInt8]
        do {
            text = try FileContents.of(descriptor: STDIN_FILENO, maximumBytes: Terraform.maximumQueryBytes)
        } catch {
            throw .usage("stdin can't be read: \(error)")
        }
        do {
            return try Terraform.query(text)
        } catch {
            throw CommandFailure(error)
        }
    }

    private func answer(to query: PublicKeyQuery, from client: KMSClient) throws(CommandFailure) -> [UInt8] {
        do {
            return Terraform.result(try client.waitForKeys([query])[0].get())
        } catch {
            throw CommandFailure(of: error)
        }
    }
}
