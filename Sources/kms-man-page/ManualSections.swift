import KMSCommands

/// What a manual page says beside what ArgumentParser knows.
struct ManualSections {
    /// What is said in every command's help, and here once: the beginning of what is left out of the discussions.
    var omittedFrom: String?
    var environment: [(variable: String, meaning: String)]
    var environmentIntroduction = ""
    var files: [(path: String, meaning: String)]
    var exitStatus: [(status: String, meaning: String)]
    var examples: [(text: String, lines: [String])]
}

/// Of `ncloud-kms-rpc`, from the lists that the program itself uses.
enum ServiceManual {
    static var sections: ManualSections {
        ManualSections(
            omittedFrom: ExitStatus.helpTitle, environment: credentials + settings + others,
            environmentIntroduction: "Options win over variables. An empty variable is an unset one.", files: files,
            exitStatus: ExitStatus.list, examples: examples)
    }

    /// Secrets are not on a command line, so these have no option.
    private static let credentials: [(variable: String, meaning: String)] = [
        ("NCLOUD_ACCESS_KEY_ID , Ev NCLOUD_ACCESS_KEY", "The access key; the first that is set counts."),
        (
            "NCLOUD_SECRET_ACCESS_KEY , Ev NCLOUD_SECRET_KEY",
            "Its secret key; the first that is set counts. Half a pair is an error."
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
        ("NO_PROXY , Ev no_proxy", "The hosts that are reached without the proxy."),
        ("NCLOUD_METADATA_API_ENDPOINT", "Where the role of a server is asked for, instead of http://169.254.169.254."),
        ("HOME", "The folder of the profile file; if it is unset, the user database tells it."),
    ]

    private static let files: [(path: String, meaning: String)] = [
        (
            "~/.ncloud/configure",
            "The profile file, as NAVER's own tools write it: sections are profiles, with ncloud_access_key_id and "
                + "ncloud_secret_access_key."
        )
    ]

    private static let examples: [(text: String, lines: [String])] = [
        (
            "A request to the service by hand:",
            [
                #"echo '{"jsonrpc":"2.0","id":1,"method":"getPublicKey","params":{"keyTag":"KEYTAG"}}' | \"#,
                "    ncloud-kms-rpc",
            ]
        ),
        ("A key as a line of authorized_keys:", ["ncloud-kms-rpc get-public-key KEYTAG --format ssh"]),
        (
            "Two keys, one of them in its version 3, as a JWK Set in a file:",
            ["ncloud-kms-rpc get-public-key KEYTAG OTHER@3 --format jwks -o keys.json"]
        ),
        (
            "Whether a release was signed by the service:",
            ["ncloud-kms-rpc verify KEYTAG --algorithm PS256 --signature app.sig app.tar && echo genuine"]
        ),
        ("What is in the way of a call:", ["ncloud-kms-rpc doctor KEYTAG"]),
    ]
}

/// Of `ncloud-kms-emulator`.
enum EmulatorManual {
    static var sections: ManualSections {
        ManualSections(
            environment: environment,
            environmentIntroduction:
                "TMPDIR, and else XDG_RUNTIME_DIR, is where the emulator may put its temporary folder. It sets these for the command:",
            files: files, exitStatus: exitStatus, examples: examples)
    }

    private static let environment: [(variable: String, meaning: String)] = [
        ("NCLOUD_KMS_ENDPOINT", "Where the emulator listens."),
        ("NCLOUD_KMS_CA_FILE", "The authority of its certificate; not with --http."),
        (
            "NCLOUD_ACCESS_KEY_ID , Ev NCLOUD_SECRET_ACCESS_KEY , Ev NCLOUD_ACCESS_KEY , Ev NCLOUD_SECRET_KEY",
            "The first key pair of the seed, under all names that clients know; not with --metadata."
        ),
        (
            "REQUESTS_CA_BUNDLE , Ev CURL_CA_BUNDLE , Ev SSL_CERT_FILE , Ev NODE_EXTRA_CA_CERTS",
            "The authority once more, where other programs look for it; not with --http."
        ),
        ("NCLOUD_METADATA_API_ENDPOINT", "Where the emulator is a metadata service; with --metadata only."),
        ("NCLOUD_CONFIG_FILE", "With --metadata: no profile file, so that the server's role is what serves."),
    ]

    private static let files: [(path: String, meaning: String)] = [
        (
            "ca.pem",
            "The authority of the certificate, in a temporary folder of the emulator's own. What a killed emulator left is removed by the next one. With --ca-out the file is elsewhere, and stays."
        )
    ]

    private static let exitStatus: [(status: String, meaning: String)] = [
        ("0", "Without a command: it was stopped"),
        ("64", "The command line is wrong"),
        ("74", "Help or the version can't be written"),
        ("125", "The emulator could not start"),
        ("126", "The command can't be run"),
        ("127", "The command was not found"),
        ("128+N", "Signal N ended the command"),
        ("other", "That of the command"),
    ]

    private static let examples: [(text: String, lines: [String])] = [
        ("A test suite with a KMS of its own:", ["ncloud-kms-emulator -- make test"]),
        (
            "A service that fails now and then:",
            [
                "ncloud-kms-emulator --fault status=503,code=500,rate=0.05 --fault reset,count=2,key=demo-rsa -- ./test.sh"
            ]
        ),
        ("An emulator that stands alone, with keys of its own:", ["ncloud-kms-emulator --seed keys.json --port 8443"]),
        (
            "A service container:",
            ["ncloud-kms-emulator --listen 0.0.0.0 --port 8443 --san kms --ca-out /shared/ca.pem"]
        ),
    ]
}
