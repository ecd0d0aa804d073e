import KMSCommands

/// The parts of a manual page that ArgumentParser does not know.
struct ManualSections {
    /// The start of the text that every command's help repeats; the page has it once, so it is left out of the
    /// discussions.
    var omittedFrom: String?
    var environment: [(variable: String, meaning: String)]
    var environmentIntroduction = ""
    var files: [(path: String, meaning: String)]
    var exitStatus: [(status: String, meaning: String)]
    var examples: [(text: String, lines: [String])]
}

/// The sections of `ncloud-kms-rpc`, from the program's own lists.
enum ServiceManual {
    static var sections: ManualSections {
        ManualSections(
            omittedFrom: ExitStatus.helpTitle, environment: credentials + settings + others,
            environmentIntroduction: "Options take precedence over variables. An empty variable counts as unset.",
            files: files,
            exitStatus: ExitStatus.list, examples: examples)
    }

    /// Secrets must not be on a command line, so these have no option.
    private static let credentials: [(variable: String, meaning: String)] = [
        ("NCLOUD_ACCESS_KEY_ID , Ev NCLOUD_ACCESS_KEY", "The access key id. The first variable that is set is used."),
        (
            "NCLOUD_SECRET_ACCESS_KEY , Ev NCLOUD_SECRET_KEY",
            "Its secret key. The first variable that is set is used. Setting only one of the pair is an error."
        ),
        ("NCLOUD_KMS_TOKEN", "An access token, instead of a key pair."),
    ]

    private static var settings: [(variable: String, meaning: String)] {
        Setting.all.filter { !$0.variables.isEmpty }.map { setting in
            (
                setting.variables.joined(separator: " , Ev "),
                "\(setting.help) (default: \(setting.defaultText)). The option is \(setting.name.flag)."
            )
        }
    }

    private static let others: [(variable: String, meaning: String)] = [
        ("NO_PROXY , Ev no_proxy", "Hosts to connect to without the proxy."),
        (
            "NCLOUD_METADATA_API_ENDPOINT",
            "The metadata service that provides a server's role, instead of http://169.254.169.254."
        ),
        ("HOME", "The home directory, with the profile file; if unset, the user database is queried."),
    ]

    private static let files: [(path: String, meaning: String)] = [
        (
            "~/.ncloud/configure",
            "The profile file, in the format of NAVER's own tools: each section is a profile, with ncloud_access_key_id and "
                + "ncloud_secret_access_key."
        )
    ]

    private static let examples: [(text: String, lines: [String])] = [
        (
            "Send a request to the service by hand:",
            [
                #"echo '{"jsonrpc":"2.0","id":1,"method":"getPublicKey","params":{"keyTag":"KEYTAG"}}' | \"#,
                "    ncloud-kms-rpc",
            ]
        ),
        ("Print a key as a line for authorized_keys:", ["ncloud-kms-rpc get-public-key KEYTAG --format ssh"]),
        (
            "Write two keys, the second in version 3, to a file as a JWK Set:",
            ["ncloud-kms-rpc get-public-key KEYTAG OTHER@3 --format jwks -o keys.json"]
        ),
        (
            "Check that a release was signed with one of the service's keys:",
            ["ncloud-kms-rpc verify KEYTAG --algorithm PS256 --signature app.sig app.tar && echo genuine"]
        ),
        ("Find out why calls fail:", ["ncloud-kms-rpc doctor KEYTAG"]),
    ]
}

/// The sections of `ncloud-kms-emulator`.
enum EmulatorManual {
    static var sections: ManualSections {
        ManualSections(
            environment: environment,
            environmentIntroduction:
                "The emulator creates its temporary folder in TMPDIR, /tmp, XDG_RUNTIME_DIR or /dev/shm, the first that is writable. It sets these variables for the command:",
            files: files, exitStatus: exitStatus, examples: examples)
    }

    private static let environment: [(variable: String, meaning: String)] = [
        ("NCLOUD_KMS_ENDPOINT", "The emulator's base URL."),
        ("NCLOUD_KMS_CA_FILE", "The certificate authority to trust; not with --http."),
        (
            "NCLOUD_ACCESS_KEY_ID , Ev NCLOUD_SECRET_ACCESS_KEY , Ev NCLOUD_ACCESS_KEY , Ev NCLOUD_SECRET_KEY",
            "The first key pair of the seed, under all names that clients use; not with --metadata."
        ),
        (
            "REQUESTS_CA_BUNDLE , Ev CURL_CA_BUNDLE , Ev SSL_CERT_FILE , Ev NODE_EXTRA_CA_CERTS",
            "The same authority, where other programs look for it; not with --http."
        ),
        ("NCLOUD_METADATA_API_ENDPOINT", "The emulator's base URL as a metadata service; with --metadata only."),
        ("NCLOUD_CONFIG_FILE", "With --metadata: /dev/null, so that clients use the server's role."),
    ]

    private static let files: [(path: String, meaning: String)] = [
        (
            "ca.pem",
            "The certificate authority, in a temporary folder of this emulator. The next emulator removes what a killed one left behind. With --ca-out the file is elsewhere, and stays."
        )
    ]

    private static let exitStatus: [(status: String, meaning: String)] = [
        ("0", "Without a command: the emulator was stopped by a signal"),
        ("64", "The command line is wrong"),
        ("74", "The help or the version could not be written"),
        ("125", "The emulator could not start"),
        ("126", "The command can't be run"),
        ("127", "The command was not found"),
        ("128+N", "Signal N ended the command"),
        ("other", "The command's own status"),
    ]

    private static let examples: [(text: String, lines: [String])] = [
        ("Run a test suite against its own KMS:", ["ncloud-kms-emulator -- make test"]),
        (
            "Make the service fail now and then:",
            [
                "ncloud-kms-emulator --fault status=503,code=500,rate=0.05 --fault reset,count=2,key=demo-rsa -- ./test.sh"
            ]
        ),
        ("Run a standalone emulator with your own keys:", ["ncloud-kms-emulator --seed keys.json --port 8443"]),
        (
            "Run it as a service container:",
            ["ncloud-kms-emulator --listen 0.0.0.0 --port 8443 --san kms --ca-out /shared/ca.pem"]
        ),
    ]
}
