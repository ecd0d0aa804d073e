extension ManualSections {
    /// Of `ncloud-kms-emulator`.
    static var emulator: ManualSections {
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
