import KMSService

extension ManualSections {
    /// Of `ncloud-kms-rpc`, from the lists that the program itself uses.
    static var service: ManualSections {
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
