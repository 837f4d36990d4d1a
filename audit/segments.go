package audit

import "slices"

// CommonSegments returns the words of paths that a record repeats although no contract
// declares them: what frameworks, probes and interfaces are called everywhere, and the
// versions of an interface. They are common nouns of a closed list, in lower case, so
// that one of them in the path of a request that no operation matched names nobody.
func CommonSegments() []string {
	return slices.Concat(
		[]string{"*"}, // the target of an OPTIONS request for the whole server (RFC 9112, section 3.2.4)
		interfaceSegments(), operatorSegments(), descriptionSegments(), actionSegments(),
	)
}

// interfaceSegments name interfaces and their versions.
func interfaceSegments() []string {
	return []string{
		"api", "apis", "rest", "rpc", "soap", "graphql", "graphiql", "ws", "services", "public", "internal", "private", "legacy",
		"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "latest", "beta", "alpha", "old", "test", "dev", "staging",
	}
}

// operatorSegments name what is meant for those who run a service.
func operatorSegments() []string {
	return []string{
		"admin", "manage", "management", "actuator", "console", "dashboard", "debug", "pprof", "vars", "jolokia", "hystrix",
		"health", "healthz", "livez", "readyz", "liveness", "readiness", "status", "ping", "info", "version", "metrics",
		"prometheus", "env", "config", "beans", "mappings", "loggers", "logs", "trace", "heapdump", "threaddump", "dump",
		"shutdown", "server-status", "cgi-bin", "phpmyadmin", "wp-admin", ".env", ".git", "backup",
	}
}

// descriptionSegments name what describes an interface or a site.
func descriptionSegments() []string {
	return []string{
		".well-known", "openid-configuration", "jwks.json", "security.txt", "openapi", "openapi.json", "openapi.yaml", "swagger",
		"swagger.json", "swagger-ui", "swagger-ui.html", "swagger-resources", "api-docs", "redoc", "docs", "schema", "wsdl",
		"robots.txt", "favicon.ico", "index.html", "static", "assets",
	}
}

// actionSegments name actions that many interfaces have beside their resources.
func actionSegments() []string {
	return []string{
		"login", "logout", "auth", "oauth", "oauth2", "token", "jwks", "callback", "webhook", "webhooks", "search", "export",
		"import", "upload", "download", "files", "batch", "bulk", "jobs", "events", "reset", "restart", "reload", "refresh",
	}
}
