// swift-tools-version: 6.3
// What a user's package looks like. `RecipeTests` copies it out of this repository, beside a link to it, and builds it there.
import PackageDescription

let package = Package(
    name: "recipes",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(path: "../ncloud-kms-rpc"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        .executableTarget(
            name: "CryptoRecipe",
            dependencies: [
                .product(name: "NCloudKMS", package: "ncloud-kms-rpc"),
                .product(name: "NCloudKMSTesting", package: "ncloud-kms-rpc"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "JWTRecipe",
            dependencies: [
                .product(name: "NCloudKMS", package: "ncloud-kms-rpc"),
                .product(name: "NCloudKMSTesting", package: "ncloud-kms-rpc"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ]),
    ]
)
