package compile

// ParseAccounts reads a list of accounts.
func ParseAccounts(data []byte) ([]string, error) { return parseAccounts(data) }
