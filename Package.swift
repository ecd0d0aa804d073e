// swift-tools-version: 6.3
import PackageDescription

/// The settings of all our targets: the Swift 6 language mode, with complete concurrency checking.
let settings: [SwiftSetting] = [.swiftLanguageMode(.v6)]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

/// What the library offers on request: each trait builds and links one more package, and is off by default.
let integrations: [Target.Dependency] = [
    .product(name: "CoreMetrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
    .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Tracing"])),
    .product(
        name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["ServiceLifecycle"])),
    .product(name: "Configuration", package: "swift-configuration", condition: .when(traits: ["Configuration"])),
]

/// What has checks in `Tests/Fuzz`.
let fuzzed: [Target.Dependency] = [
    "CKMSLibcurl", "CKMSOpenSSL", "KMSCommands", "KMSEmulator", "KMSJSON", "KMSJSONRPC", "KMSPlatform", "KMSPublicKeys",
    "KMSService", "NCloudKMS", logging,
]

let package = Package(
    name: "ncloud-kms-rpc",
    // `InlineArray` needs this version.
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "ncloud-kms-rpc", targets: ["ncloud-kms-rpc"]),
        .executable(name: "ncloud-kms-emulator", targets: ["ncloud-kms-emulator"]),
        .library(name: "NCloudKMS", targets: ["NCloudKMS", "KMSPublicKeys"]),
        .library(name: "NCloudKMSTesting", targets: ["NCloudKMSTesting"]),
    ],
    traits: [
        .trait(name: "Metrics", description: "Counters and timers of the client, for swift-metrics."),
        .trait(name: "Tracing", description: "Spans of calls and attempts, for swift-distributed-tracing."),
        .trait(name: "ServiceLifecycle", description: "KMSClient is a Service of swift-service-lifecycle."),
        .trait(
            name: "Configuration", description: "KMSClientConfiguration from a ConfigReader of swift-configuration."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
    ],
    // Lower layers first; imports point downwards only. `ArchitectureTests` checks the imports against this list.
    targets: [
        // Layer 0: system libraries, each a module map with typed `static inline` wrappers.
        .systemLibrary(
            name: "CKMSLibcurl", pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        .systemLibrary(
            name: "CKMSOpenSSL", pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "CKMSMicrohttpd", pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"]), .brew(["libmicrohttpd"])]),
        // Its library is linked by `NCloudKMS`, statically: the versions in use differ in their binary interface.
        .systemLibrary(name: "CKMSHiredis", providers: [.apt(["libhiredis-dev"]), .brew(["hiredis"])]),
        .systemLibrary(name: "CKMSLinux"),
        // Not a library: what `make build` says about the build.
        .systemLibrary(name: "CKMSBuild"),

        // Layer 1: modules that know neither the protocol nor the service.
        .target(name: "KMSPlatform", dependencies: ["CKMSBuild", "CKMSLinux"], swiftSettings: settings),
        .target(name: "KMSJSON", dependencies: ["KMSPlatform"], swiftSettings: settings),
        .target(
            name: "KMSPublicKeys", dependencies: ["CKMSOpenSSL", "KMSJSON", "KMSPlatform"], swiftSettings: settings),

        // Layer 2: the protocol and the client, which do not know each other.
        .target(name: "KMSJSONRPC", dependencies: ["KMSJSON", "KMSPlatform"], swiftSettings: settings),
        .target(
            name: "NCloudKMS",
            dependencies: [
                "KMSJSON", "KMSPublicKeys", "KMSPlatform", "CKMSLibcurl", "CKMSOpenSSL", "CKMSHiredis", logging,
            ] + integrations,
            resources: [.embedInCode("Shared/budget.lua"), .embedInCode("Shared/flight.lua")],
            swiftSettings: settings,
            linkerSettings: [
                .linkedLibrary(":libhiredis.a", .when(platforms: [.linux])),
                .linkedLibrary("hiredis", .when(platforms: [.macOS])),
            ]),

        // Layer 3: the methods, which connect the two, and the commands, which need only the client.
        .target(
            name: "KMSCommands", dependencies: ["KMSJSON", "NCloudKMS", "KMSPublicKeys", "KMSPlatform", logging],
            swiftSettings: settings),
        .target(
            name: "KMSService",
            dependencies: ["KMSJSON", "KMSJSONRPC", "NCloudKMS", "KMSPublicKeys", "KMSPlatform", logging],
            // A symbolic link to protocol/openrpc.json, the answer of `rpc.discover`.
            resources: [.embedInCode("openrpc.json")], swiftSettings: settings),

        // Layer 4: the program.
        .executableTarget(
            name: "ncloud-kms-rpc",
            dependencies: [
                "KMSJSON", "KMSJSONRPC", "NCloudKMS", "KMSCommands", "KMSService", "KMSPublicKeys", "KMSPlatform",
                logging,
                argumentParser,
            ],
            swiftSettings: settings),

        // The emulator, which shares nothing with the client.
        .target(
            name: "KMSEmulator", dependencies: ["KMSJSON", "KMSPlatform", "CKMSOpenSSL", "CKMSMicrohttpd"],
            swiftSettings: settings),
        .executableTarget(
            name: "ncloud-kms-emulator", dependencies: ["KMSEmulator", "KMSJSON", "KMSPlatform", argumentParser],
            swiftSettings: settings),

        // The emulator for the tests of packages that use the library.
        .target(
            name: "NCloudKMSTesting", dependencies: ["NCloudKMS", "KMSEmulator", "KMSPlatform"], swiftSettings: settings
        ),

        // A build tool: a filter that writes the manual pages.
        .executableTarget(
            name: "kms-man-page", dependencies: ["KMSJSON", "KMSCommands", "KMSPlatform"], swiftSettings: settings),

        // Tests.
        .target(
            name: "KMSTestSupport", dependencies: ["KMSJSON", "KMSPlatform", subprocess], path: "Tests/KMSTestSupport",
            swiftSettings: settings),
        .testTarget(name: "ArchitectureTests", swiftSettings: settings),
        .testTarget(
            name: "KMSPlatformTests", dependencies: ["KMSPlatform", "KMSTestSupport"], swiftSettings: settings),
        .testTarget(name: "KMSJSONTests", dependencies: ["KMSJSON", "KMSTestSupport"], swiftSettings: settings),
        .testTarget(
            name: "KMSPublicKeysTests",
            dependencies: ["KMSPublicKeys", "KMSJSON", "KMSPlatform", "CKMSOpenSSL", "KMSTestSupport", subprocess],
            swiftSettings: settings),
        .testTarget(name: "KMSJSONRPCTests", dependencies: ["KMSJSONRPC", "KMSTestSupport"], swiftSettings: settings),
        .testTarget(
            name: "NCloudKMSTests", dependencies: ["NCloudKMS", "KMSEmulator", "KMSTestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "NCloudKMSTestingTests", dependencies: ["NCloudKMSTesting", "NCloudKMS", "KMSTestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "KMSCommandsTests",
            dependencies: [
                "KMSCommands", "KMSJSON", "NCloudKMS", "KMSPublicKeys", "KMSPlatform", "KMSTestSupport", logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "KMSServiceTests",
            dependencies: [
                "KMSService", "KMSJSON", "KMSJSONRPC", "NCloudKMS", "KMSPublicKeys", "KMSPlatform", "KMSEmulator",
                "KMSTestSupport",
                logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "KMSEmulatorTests",
            dependencies: [
                "KMSEmulator", "ncloud-kms-emulator", "KMSJSON", "KMSPlatform", "KMSTestSupport", subprocess,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ProcessTests",
            dependencies: [
                "ncloud-kms-rpc", "ncloud-kms-emulator", "kms-man-page", "KMSJSON", "KMSJSONRPC", "KMSCommands",
                "KMSEmulator", "KMSService", "NCloudKMS", "KMSPlatform", "KMSPublicKeys", "KMSTestSupport", logging,
                argumentParser,
            ],
            exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: fuzzed, path: "Tests/Fuzz", exclude: ["Corpus", "Driver.swift"],
            swiftSettings: settings),
    ]
)

// `make fuzz` builds the same checks as a program of libFuzzer, and nothing else. Only with its flags would it link.
if Context.environment["NCLOUD_KMS_FUZZ"] != nil {
    package.targets.removeAll(where: \.isTest)
    package.targets.append(
        .executableTarget(
            name: "kms-fuzz", dependencies: fuzzed, path: "Tests/Fuzz", exclude: ["Corpus", "CorpusTests.swift"],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]))
}

// `make test` runs the tests of the modules that pass memory to C a second time, optimised, and builds nothing else for
// it.
if Context.environment["NCLOUD_KMS_TESTS_OF_C"] != nil {
    var kept: Set = ["KMSPlatformTests", "KMSPublicKeysTests", "NCloudKMSTests", "KMSEmulatorTests"]
    // Plus their dependencies, transitively.
    var count = 0
    while count < kept.count {
        count = kept.count
        for target in package.targets where kept.contains(target.name) {
            for case .byNameItem(let name, _) in target.dependencies { kept.insert(name) }
        }
    }
    package.products = []
    package.targets.removeAll { !kept.contains($0.name) }
}
