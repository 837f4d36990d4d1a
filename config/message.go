package config

// Message are bounds of the head of a request.
type Message struct {
	MaxHeaderBytes  Size `yaml:"max_header_bytes" default:"16KiB" positive:"true" doc:"Largest request line and header fields together, as they are forwarded. Control in.size judges it; listen.max_head_bytes is what the process takes at all."`
	MaxHeaderFields int  `yaml:"max_header_fields" default:"100" min:"1" doc:"Most header fields. One that is sent several times counts as often. Control in.size judges it."`
}
