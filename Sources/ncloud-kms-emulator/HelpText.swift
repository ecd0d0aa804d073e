extension EmulatorCommand {
    /// What `--help` says beyond the list of options; at most 78 columns, so that it is not wrapped.
    static let helpText = """
        With a command: runs it with NCLOUD_KMS_ENDPOINT, NCLOUD_KMS_CA_FILE and
        credentials set, passes standard streams and signals through, and exits with
        its status: 128 + the signal that ended it; 127 when it is not found, 126 when
        it can't be run, 125 when the emulator can't start.

        Without one: prints one line of JSON (endpoint, caFile, accessKeyId,
        secretAccessKey, keys) and serves until SIGTERM or SIGINT.

        Without --seed there are the keys demo-rsa (versions 1-3, 2 disabled), demo-ec
        and demo-aes, the same on every start.

        SEED ("?" may be left out):
          {"accessKeys"?: [{"id", "secret", "permissions"?: [PERMISSION]}],
           "keys": [{"keyTag", "keyType": "AES256" | "RSA2048" | "ECDSA",
                     "status"?: STATUS, "versions"?: [VERSION], "rawAnswer"?: RAW}],
           "tokens"?: [{"token", "keyTag", "expiresAt"?: MILLISECONDS | "UL"}]}
          PERMISSION: "get-pub-key" for all keys, "get-pub-key:TAG" for one
          STATUS:     "ENABLE" | "DISABLE" | "REVOKE"
          VERSION:    {"version": 1-100, "status"?: STATUS, and one of
                       "publicKey": ANY TEXT, "privateKey": PEM, "generate": true,
                       or "rawAnswer": RAW}
          RAW:        what is answered, whatever is asked for that version or key:
                      {"status": 200-599, "contentType"?,
                       "headers"?: {"NAME": "VALUE"}, "body"? | "bodyBase64"?}

        FAULT, words with commas between them, one of:
          status=N, code=C     that answer; C is a gateway's code (500) or a name
                               (INVALID_REQUEST); one of the two is enough
          empty, html, text    such a body, with status=N
          reset, reset=body    a TCP reset before the answer, or inside its body
          close                the connection is closed without an answer
          truncate             half of the body, then closed
          trickle, trickle=MS  chunks of one byte, MS (1) apart
          hang                 no answer
          delay=MS             a later answer
          close-every=N        closes behind every N-th answer of a connection
          skew=+360s           the emulator's clock is wrong (ms, s, m, h, d)
        with count=N (the first N requests), rate=P (a probability), key=TAG, and for
        answers message=TEXT, number (errorCode as a number), retry-after=VALUE:
          --fault status=503,code=500,rate=0.05 --fault reset,count=2,key=demo-rsa

        CONTROL for tests, unsigned, under /_emulator/:
          GET state, PUT seed, POST fault {"faults": [FAULT]}, POST reset,
          POST throttle {"perSecond": N}, POST close-idle
        """
}
