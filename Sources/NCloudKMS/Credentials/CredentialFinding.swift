/// What one place of the chain holds. A place with half a pair, or that can't be read as what it should be, throws.
package enum CredentialFinding: Sendable {
    case found(Credentials)
    /// Where was looked, and why nothing was there: one entry of the list in the message of 1001.
    case absent(String)
}
