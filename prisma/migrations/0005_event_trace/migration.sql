-- The id of an HTTP request is found by an index of its own; as a word it was one more entry that occurs only once.
CREATE INDEX audit_event_trace ON audit_event (trace_id);
