import KMSTestSupport
import Testing

/// The JSON-RPC libraries of editors: a key, an error, null params, 100 calls at once, `shutdown`, `exit`, and status 0.
@Suite struct EditorTests {
    private static let folder = "\(ForeignClient.fixtures)/editors"
    private static let packages = "editors"
    private static let hasPackages = ForeignClient.has(packages: packages)
    private static let hasJSONRPCGLib =
        (try? ChildProcess.run(
            "/usr/bin/python3",
            ["-c", "import gi; gi.require_version('Jsonrpc', '1.0'); from gi.repository import Jsonrpc"])) != nil

    private func run(_ command: String..., packages: String? = nil) async throws {
        try await EmulatedKMS.with { kms in
            try await ForeignClient(command: command, packages: packages).run(environment: kms.environment)
        }
    }

    @Test(.enabled(if: ForeignClient.has(command: "emacs"), "emacs is not installed"))
    func `Emacs, by jsonrpc el`() async throws {
        try await run("emacs", "-Q", "--batch", "-l", "\(Self.folder)/emacs.el", "PROGRAM")
    }

    @Test(.enabled(if: ForeignClient.has(command: "nvim"), "nvim is not installed"))
    func `Neovim, by lines of a job`() async throws {
        try await run("nvim", "--clean", "--headless", "-c", "luafile \(Self.folder)/nvim_raw.lua")
    }

    @Test(.enabled(if: ForeignClient.has(command: "nvim"), "nvim is not installed"))
    func `Neovim, by its language client`() async throws {
        try await run("nvim", "--clean", "--headless", "-c", "luafile \(Self.folder)/nvim_lsp.lua")
    }

    @Test(.enabled(if: ForeignClient.has(command: "vim"), "vim is not installed"))
    func `Vim, by a channel`() async throws {
        try await run("vim", "-u", "NONE", "-N", "-es", "-S", "\(Self.folder)/channel.vim")
    }

    @Test(.enabled(if: hasPackages, "python-lsp-jsonrpc is not installed in .build/python"))
    func `python-lsp-jsonrpc`() async throws {
        try await run("python3", "\(Self.folder)/pylsp.py", "PROGRAM", packages: Self.packages)
    }

    @Test(.enabled(if: hasPackages, "pygls is not installed in .build/python"))
    func `pygls`() async throws {
        try await run("python3", "\(Self.folder)/pygls_client.py", "PROGRAM", packages: Self.packages)
    }

    @Test(.enabled(if: hasJSONRPCGLib, "gir1.2-jsonrpc-1.0 or python3-gi is not installed for /usr/bin/python3"))
    func `jsonrpc-glib, as GNOME has it`() async throws {
        try await run("/usr/bin/python3", "\(Self.folder)/jsonrpc_glib.py", "PROGRAM")
    }
}
