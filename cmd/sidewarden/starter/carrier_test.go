package starter

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNamesAccount(t *testing.T) {
	for _, name := range []string{
		"accountId", "account_id", "account-id", "accountID", "AccountId", "ACCOUNT_ID", "accountid", "accountIds", "accountIDs", "account", "accounts",
		"X-Account-Id", "X-Customer-Number", "customerId", "customer_number", "tenant", "tenantId", "X-Tenant", "billingAccount", "billingAccountId",
		"subscriberNumber", "orgId", "organisationCode", "customernumber", "acct_no",
	} {
		assert.True(t, namesAccount(name), name)
	}
	for _, name := range []string{
		"", "id", "orderId", "accountType", "accountName", "customerName", "discount", "accounting", "countId", "accountantId", "number", "X-Correlator", "organic", "é", "___",
	} {
		assert.False(t, namesAccount(name), name)
	}
}
