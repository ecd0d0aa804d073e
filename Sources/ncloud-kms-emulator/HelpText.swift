extension EmulatorCommand {
    /// What `--help` says beyond the list of options.
    static let helpText = """
        With a command: runs it with NCLOUD_KMS_ENDPOINT, NCLOUD_KMS_CA_FILE and credentials set, passes standard \
        streams and signals through, and exits with its status (128 + the signal that ended it; 125 when the emulator \
        can't start, 126 when the command can't be run, 127 when it is not found).

        Without one: prints one line of JSON (endpoint, caFile, accessKeyId, secretAccessKey, keys) and serves until \
        SIGTERM or SIGINT.

        Without --seed there are the keys demo-rsa (versions 1-3, 2 disabled), demo-ec and demo-aes, the same on every \
        start.

        SEED (? may be left out):
          {"accessKeys"?: [{"id", "secret", "permissions"?: ["get-pub-key", "get-pub-key:TAG"]}],
           "keys": [{"keyTag", "keyType": "AES256" | "RSA2048" | "ECDSA", "status"?: "ENABLE" | "DISABLE" | "REVOKE",
                     "versions"?: [{"version": 1-100, "status"?,
                                    "publicKey"? (any text) | "privateKey"? (PEM) | "generate"?: true,
                                    "rawAnswer"?}],
                     "rawAnswer"?}],
           "tokens"?: [{"token", "keyTag", "expiresAt"?: MILLISECONDS | "UL"}]}
          rawAnswer, sent for that version or key whatever is asked:
          {"status": 200-599, "contentType"?, "headers"?: {"NAME": "VALUE"}, "body"? | "bodyBase64"?}

        FAULT, one of:
          status=N and/or code=C   that answer; C is a gateway code (500) or a name (INVALID_REQUEST)
          empty, html, text        such a body, with status=N
          reset, reset=body        a TCP reset before the answer, or in its body
          close                    no answer, the connection is closed
          truncate                 half of the body, then closed
          trickle[=MS]             one byte a chunk, MS (1) apart
          hang                     no answer
          delay=MS                 a later answer
          close-every=N            the connection is closed behind every N-th answer
          skew=+360s               the emulator's clock is wrong (ms, s, m, h, d)
        with count=N (the first N requests), rate=P (a probability), key=TAG, and for answers message=TEXT, number \
        (errorCode as a number), retry-after=VALUE:
          --fault status=503,code=500,rate=0.05 --fault reset,count=2,key=demo-rsa

        CONTROL, under /_emulator/, unsigned: GET state, PUT seed, POST fault {"faults": [FAULT, …]}, \
        POST throttle {"perSecond": N}, POST close-idle, POST reset.
        """
}
