// The default seed. Its keys are constants, so that the answers are the same on every start. They were made with
// `openssl genpkey`; the private keys were discarded.

extension Seed {
    /// `demo-rsa` (versions 1–3; 2 is disabled), `demo-ec` and `demo-aes`, and one access key.
    package static let demo = Seed(
        accessKeys: [.demo],
        keys: [
            Key(
                keyTag: "demo-rsa", keyType: .rsa2048,
                versions: [
                    Version(1, publicKey: DemoPublicKey.rsa1),
                    Version(2, status: .disabled, publicKey: DemoPublicKey.rsa2),
                    Version(3, publicKey: DemoPublicKey.rsa3),
                ]),
            Key(keyTag: "demo-ec", keyType: .ecdsa, versions: [Version(1, publicKey: DemoPublicKey.ec1)]),
            Key(keyTag: "demo-aes", keyType: .aes256, versions: [Version(1, publicKey: nil)]),
        ])
}

extension Seed.AccessKey {
    /// Valid only for an emulator, and recognisable as such.
    package static let demo = Seed.AccessKey(
        id: "DEMOACCESSKEY0000001", secret: "DEMOSECRETKEYnotasecret000000000000000001")
}

private enum DemoPublicKey {
    static let rsa1 = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAryVTOf1NX4EU0IPI02yA
        lMlLcwNTGAkYTI5GYyEggdfQMSEu+JGX/mVJfCeAB5ITFgSHhyXme+PohRhUc+Su
        VHha4jg1aKt5MrAYx9u1srUJgH2C3p7TQWMqe49Z8SXZ2E/SPtKch6x9TTpE+GG1
        iJcCUvMCA9tY8QPRToZDsF82Tkb3g0wI2J7xN598o+8wIuEFJjY9lQLxlPPSFo1A
        ML2V3uyXaPjo6dJ9CQfCOdpQo9guydmdYpEn74qSdloB/mFwVUpVdWnbyJyhuy0B
        +tMcc1+a+OqWouN/lWrE7d/aqOzcUDx1sEjs2tUzCY+XaGEGMFc7MRhRDx01XFuo
        dwIDAQAB
        -----END PUBLIC KEY-----

        """

    static let rsa2 = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqFrHjVyf7OOcj7XrQba/
        tfwgJ9Tfm8RrsAKpZnIbY8VFIiK921yTnngVId9OEEJa8wXZUwVZBF4RXbVKNVLs
        WmG3T6oXT07kt7s8NfbhZZlfs9zpSpxVfeD61TtMmjFD0gU42/u4PrAn0hRh8KRg
        LW6rSfu3ik60LRomAHBBnKaddtF7z78om+Q6GV8Dmq0h66vM6+CPAMiMA1eHKLwm
        JCFHeSTtZ/fhWZMOOodIXgt5rtWrYs9n5Wu7Hxr6pvwDotNPkh2M3NzHg5USP75q
        i9lXQSkYVADVTkfp2naKfy+CGPsZUdVwb75hGuJSX+a+WfEKe4sHlcLcmSfQmtxa
        zQIDAQAB
        -----END PUBLIC KEY-----

        """

    static let rsa3 = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlomLYpraOdJ7sfqNbkCs
        oy77E/ObnsHTgkFsS+36xE6+4l1LPZTX77ih9iEeOQxRyS4MzjkeGeOfk93ZjIcm
        qM+CccASUCtqwMwQZhlAAttmLHgNDg7zCOJBQYODswJ9y9XfwXeq7UkkTodKfrkx
        16G46klFz2J0+I0vxmXMSuXxag9F/AdCBIjNQmZbtioGYeyLl+0iZjcPxWw+iTHK
        CJf1lkv0xvCHb/2Hrlqx/+FA6e+3hbmRUlHV737KNxsL+Qr6p87bwDccj/r9U0V7
        JqFbl1UeMX8g6gDwtqZ4aZuMULmZ26X2MxtI4Mj4YpaWkWFF5lepWIoFrrEErjUO
        VQIDAQAB
        -----END PUBLIC KEY-----

        """

    static let ec1 = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVmk1B5Z7szQe04vrnlQPQ/aj+0lk
        9UiedeOijbTBQViHTmRtjPKs/jvqj8PPdwJk2MsWoWtI5aE2wvTjdW4wUg==
        -----END PUBLIC KEY-----

        """
}
