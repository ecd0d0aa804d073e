extension ManualSections {
    /// Of `ncloud-kms-emulator`.
    static var emulator: ManualSections {
        ManualSections(
            environment: environment,
            environmentIntroduction: "The emulator reads none. It sets these for the command:",
            files: files, exitStatus: exitStatus, examples: examples)
    }

    private static let environment: [(variable: String, meaning: String)] = [
        ("NCLOUD_KMS_ENDPOINT", "Where the emulator listens."),
        ("NCLOUD_KMS_CA_FILE", "The authority of its certificate; not with --http."),
        (
            "NCLOUD_ACCESS_KEY_ID , Ev NCLOUD_SECRET_ACCESS_KEY , Ev NCLOUD_ACCESS_KEY , Ev NCLOUD_SECRET_KEY",
            "The first key pair of the seed, under all names that clients know."
        ),
        (
            "REQUESTS_CA_BUNDLE , Ev CURL_CA_BUNDLE , Ev SSL_CERT_FILE , Ev NODE_EXTRA_CA_CERTS",
            "The authority once more, where other programs look for it; not with --http."
        ),
        ("NCLOUD_METADATA_API_ENDPOINT", "The stand-in for the metadata service, where one was asked for."),
    ]

    private static let files: [(path: String, meaning: String)] = [
        ("ca.pem", "The authority of the certificate, in a private folder of the emulator's.")
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
    ]
}
