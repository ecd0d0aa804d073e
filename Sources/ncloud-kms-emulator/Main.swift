@main struct Main {
    static func main() { EmulatorCommand.main() }
}
