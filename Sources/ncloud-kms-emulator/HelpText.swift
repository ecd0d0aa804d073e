extension EmulatorCommand {
    /// The part of `--help` before the list of options; at most 78 columns, so that it is not wrapped.
    static let helpText = """
        With a command: runs it with NCLOUD_KMS_ENDPOINT, NCLOUD_KMS_CA_FILE and
        credentials set, passes standard streams and signals on to it, and exits with
        its status: 128 + N if signal N ended it; 127 if it was not found, 126 if it
        can't be run, 125 if the emulator can't start.
        SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and NODE_EXTRA_CA_CERTS make
        other programs trust the emulator, and (except for the last) nothing else.
        With --metadata, NCLOUD_METADATA_API_ENDPOINT is set instead of a key pair, and
        NCLOUD_CONFIG_FILE is /dev/null, so that no profile takes precedence.

        Without a command: prints one line of JSON (endpoint, caFile, accessKeyId,
        secretAccessKey, keys; with --metadata metadataEndpoint) and serves until
        SIGTERM or SIGINT.

        Without --seed, the keys are demo-rsa (versions 1-3; 2 is disabled), demo-ec
        and demo-aes, the same on every start.

        SEED ("?" marks optional members):
          {"accessKeys"?: [{"id", "secret", "permissions"?: [PERMISSION]}],
           "keys": [{"keyTag", "keyType": "AES256" | "RSA2048" | "ECDSA",
                     "status"?: STATUS, "versions"?: [VERSION], "rawAnswer"?: RAW}],
           "tokens"?: [{"token", "keyTag", "expiresAt"?: MILLISECONDS | "UL"}],
           "role"?: {"id", "accessKeyId"?, "validSeconds"?: SECONDS}}
          PERMISSION: "get-pub-key" for all keys, "get-pub-key:TAG" for one
          STATUS:     "ENABLE" | "DISABLE" | "REVOKE"
          VERSION:    {"version": 1-100, "status"?: STATUS, and one of
                       "publicKey": ANY TEXT, "privateKey": PEM, "generate": true,
                       or "rawAnswer": RAW}
          RAW:        the answer to every request for the version or key:
                      {"status": 200-599, "contentType"?,
                       "headers"?: {"NAME": "VALUE"}, "body"? | "bodyBase64"?}
          The role is for --metadata: the access key that it provides (default: the
          first one), and how long each answer is valid (default: 21600 seconds).

        FAULT, words separated by commas. One effect:
          status=N, code=C     this answer; C is a gateway's code (500) or a name
                               (INVALID_REQUEST); one of the two is enough
          empty, html, text    a body of this kind, with status=N if given
          reset, reset=body    a TCP reset before the answer, or inside its body
          close                the connection is closed without an answer
          truncate             half of the body, then closed
          trickle, trickle=MS  chunks of one byte, MS (1) apart
          hang                 no answer, ever
          delay=MS             delays the answer
          close-every=N        closes after every N-th answer of a connection
          skew=+360s           the emulator's clock is wrong (ms, s, m, h, d)
        Optional: count=N (the first N requests), rate=P (probability), key=TAG; for
        answers message=TEXT, number (errorCode as a number), retry-after=VALUE:
          --fault status=503,code=500,rate=0.05 --fault reset,count=2,key=demo-rsa
        Control requests and those to the metadata service never trigger a fault.

        CONTROL requests for tests, unsigned, under /_emulator/:
          GET health           200 once it serves
          GET state            counts of requests, by key and connection
          GET requests         the last 1,000, secrets redacted; ?since=N: after N
          PUT seed             SEED; replaces the seed
          POST fault           {"faults": [FAULT]}; replaces all faults
          POST throttle        {"perSecond": N}
          POST close-idle      closes all connections, busy ones after their answer
          POST reset           resets counts, requests, faults, dice and throttle
        """
}
