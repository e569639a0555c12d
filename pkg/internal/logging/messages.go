package logging

// FieldMessageID is the field that says which kind of event an entry is. Its
// value is one of the MessageID constants; in the journal it is MESSAGE_ID, by
// which operators find the event whatever the text says. Text leaves it out.
const FieldMessageID = "message_id"

// The message ids, each 128 random bits as in sd-id128(3). They never change
// their meaning.
const (
	MessageIDStarted             = "fd514033657b48b18ff23bda316a2899" // the daemon serves
	MessageIDStopping            = "ff3be1bcc73745c28f7bc61b3caa5caf" // the daemon begins to drain
	MessageIDRunRegistered       = "16108091dd5a40a2a9536c2b153da839" // a run was registered
	MessageIDRunRemoved          = "c44f1e224e274406814b59872352a006" // a run was removed
	MessageIDRunDegraded         = "5ee19e860154422f9f7868a615ff0f76" // a run lacks a credential
	MessageIDDatabaseQuarantined = "d96b35d1e1e844db9cb1a4eb858d5422" // a damaged database was moved aside
	MessageIDRequestRefused      = "ba2bbb6c75374bbb94412d7d52e1f6f2" // the proxy refused a request
)
