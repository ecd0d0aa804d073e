// swift-tools-version: 6.3
// A user's package that asks for the library's traits. `TraitTests` copies it out of this repository, beside a link to it, and
// runs its tests there: for each trait alone, whose name is in the environment, and for all of them.
import PackageDescription

let all = ["Configuration", "Metrics", "ServiceLifecycle", "Tracing"]
let asked = all.filter { [nil, $0].contains(Context.environment["NCLOUD_KMS_TRAIT"]) }

/// What the tests of a trait need.
let packages: [String: Package.Dependency] = [
    "Configuration": .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
    "Metrics": .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    "ServiceLifecycle": .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    "Tracing": .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
]
let products: [String: [Target.Dependency]] = [
    "Configuration": [.product(name: "Configuration", package: "swift-configuration")],
    "Metrics": [
        .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "MetricsTestKit", package: "swift-metrics"),
    ],
    "ServiceLifecycle": [.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")],
    "Tracing": [
        .product(name: "Tracing", package: "swift-distributed-tracing"),
        .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
    ],
]

let package = Package(
    name: "traits",
    platforms: [.macOS(.v26)],
    dependencies: [.package(path: "../ncloud-kms-rpc", traits: Set(asked.map { .trait(name: $0) }))]
        + asked.compactMap { packages[$0] },
    targets: asked.map { trait in
        .testTarget(
            name: "\(trait)Tests",
            dependencies: [
                .product(name: "NCloudKMS", package: "ncloud-kms-rpc"),
                .product(name: "NCloudKMSTesting", package: "ncloud-kms-rpc"),
            ] + (products[trait] ?? []))
    }
)
