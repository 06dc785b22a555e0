CREATE TABLE hitl_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT hitl_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE hitl_conversations (
	tenant TEXT NOT NULL, 
	id TEXT NOT NULL, 
	handoff_id TEXT, 
	speaker TEXT NOT NULL, 
	worker TEXT, 
	fence INTEGER NOT NULL, 
	wake_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT hitl_conversations_pkey PRIMARY KEY (tenant, id)
);
CREATE INDEX hitl_conversations_wake_idx ON hitl_conversations (tenant, wake_at) WHERE wake_at IS NOT NULL;
CREATE TABLE hitl_handoffs (
	tenant TEXT NOT NULL, 
	id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	key TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	end_reason TEXT, 
	session_id TEXT, 
	user_key TEXT, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	open BOOLEAN NOT NULL, 
	version INTEGER NOT NULL, 
	record TEXT NOT NULL, 
	policy TEXT NOT NULL, 
	CONSTRAINT hitl_handoffs_pkey PRIMARY KEY (tenant, id), 
	CONSTRAINT hitl_handoffs_tenant_conversation_id_key_key UNIQUE (tenant, conversation_id, key)
);
CREATE INDEX hitl_handoffs_ended_idx ON hitl_handoffs (tenant, ended_at);
CREATE UNIQUE INDEX hitl_handoffs_one_open_idx ON hitl_handoffs (tenant, conversation_id) WHERE open;
CREATE INDEX hitl_handoffs_open_idx ON hitl_handoffs (tenant, connection) WHERE open;
CREATE INDEX hitl_handoffs_user_idx ON hitl_handoffs (tenant, user_key);
CREATE TABLE hitl_timers (
	tenant TEXT NOT NULL, 
	handoff_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT hitl_timers_pkey PRIMARY KEY (tenant, handoff_id, name)
);
CREATE INDEX hitl_timers_due_idx ON hitl_timers (tenant, due_at);
CREATE TABLE hitl_inputs (
	position BIGSERIAL NOT NULL, 
	tenant TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	key TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	handoff_id TEXT, 
	state INTEGER NOT NULL, 
	outcome TEXT, 
	accepted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	done_at TIMESTAMP WITH TIME ZONE, 
	payload TEXT NOT NULL, 
	CONSTRAINT hitl_inputs_pkey PRIMARY KEY (position), 
	CONSTRAINT hitl_inputs_tenant_key_key UNIQUE (tenant, key)
);
CREATE INDEX hitl_inputs_handoff_idx ON hitl_inputs (tenant, handoff_id, position);
CREATE INDEX hitl_inputs_open_idx ON hitl_inputs (tenant, conversation_id, position) WHERE state = 0;
CREATE TABLE hitl_deliveries (
	position BIGSERIAL NOT NULL, 
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	id TEXT NOT NULL, 
	state INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	not_before TIMESTAMP WITH TIME ZONE, 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	done_at TIMESTAMP WITH TIME ZONE, 
	detail TEXT, 
	payload TEXT NOT NULL, 
	CONSTRAINT hitl_deliveries_pkey PRIMARY KEY (position), 
	CONSTRAINT hitl_deliveries_tenant_connection_id_key UNIQUE (tenant, connection, id)
);
CREATE INDEX hitl_deliveries_open_idx ON hitl_deliveries (tenant, connection, position) WHERE state = 0;
CREATE INDEX hitl_deliveries_parked_idx ON hitl_deliveries (tenant, connection) WHERE state = 3;
CREATE TABLE hitl_outbox (
	position BIGSERIAL NOT NULL, 
	tenant TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	handoff_id TEXT NOT NULL, 
	connection TEXT, 
	key TEXT NOT NULL, 
	lane TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	after TEXT, 
	merged_into TEXT, 
	state INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	attempting_at TIMESTAMP WITH TIME ZONE, 
	not_before TIMESTAMP WITH TIME ZONE, 
	created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	done_at TIMESTAMP WITH TIME ZONE, 
	failure TEXT, 
	detail TEXT, 
	progress TEXT, 
	payload TEXT NOT NULL, 
	CONSTRAINT hitl_outbox_pkey PRIMARY KEY (position), 
	CONSTRAINT hitl_outbox_tenant_key_key UNIQUE (tenant, key)
);
CREATE INDEX hitl_outbox_handoff_idx ON hitl_outbox (tenant, handoff_id, position);
CREATE INDEX hitl_outbox_open_idx ON hitl_outbox (tenant, conversation_id, position) WHERE state < 2;
CREATE TABLE hitl_dead_letters (
	position BIGSERIAL NOT NULL, 
	tenant TEXT NOT NULL, 
	source TEXT NOT NULL, 
	source_position BIGINT NOT NULL, 
	conversation_id TEXT, 
	handoff_id TEXT, 
	connection TEXT, 
	key TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	failure TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	state INTEGER NOT NULL, 
	settled_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT hitl_dead_letters_pkey PRIMARY KEY (position)
);
CREATE INDEX hitl_dead_letters_handoff_idx ON hitl_dead_letters (tenant, handoff_id);
CREATE INDEX hitl_dead_letters_open_idx ON hitl_dead_letters (tenant, position) WHERE state = 0;
CREATE TABLE hitl_audit (
	position BIGSERIAL NOT NULL, 
	tenant TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	actor TEXT NOT NULL, 
	action TEXT NOT NULL, 
	conversation_id TEXT, 
	handoff_id TEXT, 
	detail TEXT, 
	CONSTRAINT hitl_audit_pkey PRIMARY KEY (position)
);
CREATE INDEX hitl_audit_at_idx ON hitl_audit (tenant, at);
CREATE INDEX hitl_audit_handoff_idx ON hitl_audit (tenant, handoff_id);
CREATE TABLE hitl_links (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	session_id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	session TEXT NOT NULL, 
	cursor TEXT, 
	wanted_at TIMESTAMP WITH TIME ZONE, 
	linked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	open BOOLEAN NOT NULL, 
	CONSTRAINT hitl_links_pkey PRIMARY KEY (tenant, connection, session_id)
);
CREATE INDEX hitl_links_conversation_idx ON hitl_links (tenant, conversation_id);
CREATE INDEX hitl_links_open_idx ON hitl_links (tenant, connection) WHERE open;
CREATE INDEX hitl_links_wanted_idx ON hitl_links (tenant, connection) WHERE wanted_at IS NOT NULL;
CREATE TABLE hitl_message_links (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	session_id TEXT NOT NULL, 
	direction TEXT NOT NULL, 
	vendor_id TEXT NOT NULL, 
	key TEXT NOT NULL, 
	message_id TEXT, 
	linked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT hitl_message_links_pkey PRIMARY KEY (tenant, connection, session_id, direction, vendor_id, key)
);
CREATE TABLE hitl_user_links (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	user_key TEXT NOT NULL, 
	external TEXT, 
	fingerprint TEXT, 
	claimed_by TEXT, 
	claimed_at TIMESTAMP WITH TIME ZONE, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT hitl_user_links_pkey PRIMARY KEY (tenant, connection, user_key)
);
CREATE TABLE hitl_blobs (
	tenant TEXT NOT NULL, 
	id TEXT NOT NULL, 
	part INTEGER NOT NULL, 
	conversation_id TEXT, 
	name TEXT, 
	content_type TEXT, 
	size BIGINT, 
	stored_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	content BYTEA NOT NULL, 
	CONSTRAINT hitl_blobs_pkey PRIMARY KEY (tenant, id, part)
);
CREATE INDEX hitl_blobs_conversation_idx ON hitl_blobs (tenant, conversation_id);
CREATE INDEX hitl_blobs_stored_idx ON hitl_blobs (tenant, stored_at) WHERE part = 0;
CREATE TABLE hitl_workers (
	id TEXT NOT NULL, 
	started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	seen_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT hitl_workers_pkey PRIMARY KEY (id)
);
CREATE TABLE hitl_connections (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	worker TEXT, 
	fence INTEGER NOT NULL, 
	paused_at TIMESTAMP WITH TIME ZONE, 
	paused_detail TEXT, 
	retry_at TIMESTAMP WITH TIME ZONE, 
	changes_cursor TEXT, 
	reconciled_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT hitl_connections_pkey PRIMARY KEY (tenant, connection)
);
CREATE TABLE hitl_connection_state (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	key TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	value BYTEA NOT NULL, 
	CONSTRAINT hitl_connection_state_pkey PRIMARY KEY (tenant, connection, key)
);
CREATE TABLE hitl_locks (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	name TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	until TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT hitl_locks_pkey PRIMARY KEY (tenant, connection, name)
);
CREATE TABLE hitl_budgets (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	limit_count FLOAT, 
	remaining FLOAT, 
	resets_at TIMESTAMP WITH TIME ZONE, 
	rolled_at TIMESTAMP WITH TIME ZONE, 
	next_at TIMESTAMP WITH TIME ZONE, 
	blocked_until TIMESTAMP WITH TIME ZONE, 
	updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT hitl_budgets_pkey PRIMARY KEY (tenant, connection, scope)
);
CREATE TABLE hitl_slots (
	tenant TEXT NOT NULL, 
	connection TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	worker TEXT, 
	taken_at TIMESTAMP WITH TIME ZONE, 
	wanted_by TEXT, 
	wanted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT hitl_slots_pkey PRIMARY KEY (tenant, connection, number)
);
INSERT INTO hitl_version (version_num) VALUES ('0001') RETURNING hitl_version.version_num;
INSERT INTO hitl_audit (position, tenant, at, actor, action, conversation_id, handoff_id, detail) VALUES (1, 'tenant''s 1. ä', '2026-03-01 12:30:00.250000+00:00', 'actor''s 1. ä', 'action''s 1. ä', 'conversation_id''s 1. ä', 'handoff_id''s 1. ä', 'detail''s 1. ä');
INSERT INTO hitl_audit (position, tenant, at, actor, action, conversation_id, handoff_id, detail) VALUES (2, 'tenant''s 2. ä', '2026-03-02 12:30:00.250000+00:00', 'actor''s 2. ä', 'action''s 2. ä', 'conversation_id''s 2. ä', 'handoff_id''s 2. ä', 'detail''s 2. ä');
INSERT INTO hitl_blobs (tenant, id, part, conversation_id, name, content_type, size, stored_at, content) VALUES ('tenant''s 1. ä', 'id''s 1. ä', 1, 'conversation_id''s 1. ä', 'name''s 1. ä', 'content_type''s 1. ä', 1, '2026-03-01 12:30:00.250000+00:00', 'content 1');
INSERT INTO hitl_blobs (tenant, id, part, conversation_id, name, content_type, size, stored_at, content) VALUES ('tenant''s 2. ä', 'id''s 2. ä', 2, 'conversation_id''s 2. ä', 'name''s 2. ä', 'content_type''s 2. ä', 2, '2026-03-02 12:30:00.250000+00:00', 'content 2');
INSERT INTO hitl_budgets (tenant, connection, scope, limit_count, remaining, resets_at, rolled_at, next_at, blocked_until, updated_at) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 'scope''s 1. ä', 1.5, 1.5, '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_budgets (tenant, connection, scope, limit_count, remaining, resets_at, rolled_at, next_at, blocked_until, updated_at) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 'scope''s 2. ä', 2.5, 2.5, '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_connection_state (tenant, connection, key, version, value) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 'key''s 1. ä', 1, 'value 1');
INSERT INTO hitl_connection_state (tenant, connection, key, version, value) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 'key''s 2. ä', 2, 'value 2');
INSERT INTO hitl_connections (tenant, connection, worker, fence, paused_at, paused_detail, retry_at, changes_cursor, reconciled_at) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 'worker''s 1. ä', 1, '2026-03-01 12:30:00.250000+00:00', 'paused_detail''s 1. ä', '2026-03-01 12:30:00.250000+00:00', 'changes_cursor''s 1. ä', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_connections (tenant, connection, worker, fence, paused_at, paused_detail, retry_at, changes_cursor, reconciled_at) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 'worker''s 2. ä', 2, '2026-03-02 12:30:00.250000+00:00', 'paused_detail''s 2. ä', '2026-03-02 12:30:00.250000+00:00', 'changes_cursor''s 2. ä', '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_conversations (tenant, id, handoff_id, speaker, worker, fence, wake_at) VALUES ('tenant''s 1. ä', 'id''s 1. ä', 'handoff_id''s 1. ä', 'speaker''s 1. ä', 'worker''s 1. ä', 1, '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_conversations (tenant, id, handoff_id, speaker, worker, fence, wake_at) VALUES ('tenant''s 2. ä', 'id''s 2. ä', 'handoff_id''s 2. ä', 'speaker''s 2. ä', 'worker''s 2. ä', 2, '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_dead_letters (position, tenant, source, source_position, conversation_id, handoff_id, connection, key, kind, failure, detail, at, state, settled_at) VALUES (1, 'tenant''s 1. ä', 'source''s 1. ä', 1, 'conversation_id''s 1. ä', 'handoff_id''s 1. ä', 'connection''s 1. ä', 'key''s 1. ä', 'kind''s 1. ä', 'failure''s 1. ä', 'detail''s 1. ä', '2026-03-01 12:30:00.250000+00:00', 1, '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_dead_letters (position, tenant, source, source_position, conversation_id, handoff_id, connection, key, kind, failure, detail, at, state, settled_at) VALUES (2, 'tenant''s 2. ä', 'source''s 2. ä', 2, 'conversation_id''s 2. ä', 'handoff_id''s 2. ä', 'connection''s 2. ä', 'key''s 2. ä', 'kind''s 2. ä', 'failure''s 2. ä', 'detail''s 2. ä', '2026-03-02 12:30:00.250000+00:00', 2, '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_deliveries (position, tenant, connection, id, state, attempts, not_before, received_at, done_at, detail, payload) VALUES (1, 'tenant''s 1. ä', 'connection''s 1. ä', 'id''s 1. ä', 1, 1, '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', 'detail''s 1. ä', 'payload''s 1. ä');
INSERT INTO hitl_deliveries (position, tenant, connection, id, state, attempts, not_before, received_at, done_at, detail, payload) VALUES (2, 'tenant''s 2. ä', 'connection''s 2. ä', 'id''s 2. ä', 2, 2, '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', 'detail''s 2. ä', 'payload''s 2. ä');
INSERT INTO hitl_handoffs (tenant, id, conversation_id, connection, key, phase, end_reason, session_id, user_key, started_at, ended_at, open, version, record, policy) VALUES ('tenant''s 1. ä', 'id''s 1. ä', 'conversation_id''s 1. ä', 'connection''s 1. ä', 'key''s 1. ä', 'phase''s 1. ä', 'end_reason''s 1. ä', 'session_id''s 1. ä', 'user_key''s 1. ä', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', true, 1, 'record''s 1. ä', 'policy''s 1. ä');
INSERT INTO hitl_handoffs (tenant, id, conversation_id, connection, key, phase, end_reason, session_id, user_key, started_at, ended_at, open, version, record, policy) VALUES ('tenant''s 2. ä', 'id''s 2. ä', 'conversation_id''s 2. ä', 'connection''s 2. ä', 'key''s 2. ä', 'phase''s 2. ä', 'end_reason''s 2. ä', 'session_id''s 2. ä', 'user_key''s 2. ä', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', false, 2, 'record''s 2. ä', 'policy''s 2. ä');
INSERT INTO hitl_inputs (position, tenant, conversation_id, key, kind, handoff_id, state, outcome, accepted_at, done_at, payload) VALUES (1, 'tenant''s 1. ä', 'conversation_id''s 1. ä', 'key''s 1. ä', 'kind''s 1. ä', 'handoff_id''s 1. ä', 1, 'outcome''s 1. ä', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', 'payload''s 1. ä');
INSERT INTO hitl_inputs (position, tenant, conversation_id, key, kind, handoff_id, state, outcome, accepted_at, done_at, payload) VALUES (2, 'tenant''s 2. ä', 'conversation_id''s 2. ä', 'key''s 2. ä', 'kind''s 2. ä', 'handoff_id''s 2. ä', 2, 'outcome''s 2. ä', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', 'payload''s 2. ä');
INSERT INTO hitl_links (tenant, connection, session_id, conversation_id, session, cursor, wanted_at, linked_at, open) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 'session_id''s 1. ä', 'conversation_id''s 1. ä', 'session''s 1. ä', 'cursor''s 1. ä', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', true);
INSERT INTO hitl_links (tenant, connection, session_id, conversation_id, session, cursor, wanted_at, linked_at, open) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 'session_id''s 2. ä', 'conversation_id''s 2. ä', 'session''s 2. ä', 'cursor''s 2. ä', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', false);
INSERT INTO hitl_locks (tenant, connection, name, holder, until) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 'name''s 1. ä', 'holder''s 1. ä', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_locks (tenant, connection, name, holder, until) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 'name''s 2. ä', 'holder''s 2. ä', '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_message_links (tenant, connection, session_id, direction, vendor_id, key, message_id, linked_at) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 'session_id''s 1. ä', 'direction''s 1. ä', 'vendor_id''s 1. ä', 'key''s 1. ä', 'message_id''s 1. ä', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_message_links (tenant, connection, session_id, direction, vendor_id, key, message_id, linked_at) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 'session_id''s 2. ä', 'direction''s 2. ä', 'vendor_id''s 2. ä', 'key''s 2. ä', 'message_id''s 2. ä', '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_outbox (position, tenant, conversation_id, handoff_id, connection, key, lane, kind, after, merged_into, state, attempts, attempting_at, not_before, created_at, done_at, failure, detail, progress, payload) VALUES (1, 'tenant''s 1. ä', 'conversation_id''s 1. ä', 'handoff_id''s 1. ä', 'connection''s 1. ä', 'key''s 1. ä', 'lane''s 1. ä', 'kind''s 1. ä', 'after''s 1. ä', 'merged_into''s 1. ä', 1, 1, '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00', 'failure''s 1. ä', 'detail''s 1. ä', 'progress''s 1. ä', 'payload''s 1. ä');
INSERT INTO hitl_outbox (position, tenant, conversation_id, handoff_id, connection, key, lane, kind, after, merged_into, state, attempts, attempting_at, not_before, created_at, done_at, failure, detail, progress, payload) VALUES (2, 'tenant''s 2. ä', 'conversation_id''s 2. ä', 'handoff_id''s 2. ä', 'connection''s 2. ä', 'key''s 2. ä', 'lane''s 2. ä', 'kind''s 2. ä', 'after''s 2. ä', 'merged_into''s 2. ä', 2, 2, '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00', 'failure''s 2. ä', 'detail''s 2. ä', 'progress''s 2. ä', 'payload''s 2. ä');
INSERT INTO hitl_slots (tenant, connection, number, worker, taken_at, wanted_by, wanted_at) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 1, 'worker''s 1. ä', '2026-03-01 12:30:00.250000+00:00', 'wanted_by''s 1. ä', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_slots (tenant, connection, number, worker, taken_at, wanted_by, wanted_at) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 2, 'worker''s 2. ä', '2026-03-02 12:30:00.250000+00:00', 'wanted_by''s 2. ä', '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_timers (tenant, handoff_id, name, conversation_id, due_at) VALUES ('tenant''s 1. ä', 'handoff_id''s 1. ä', 'name''s 1. ä', 'conversation_id''s 1. ä', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_timers (tenant, handoff_id, name, conversation_id, due_at) VALUES ('tenant''s 2. ä', 'handoff_id''s 2. ä', 'name''s 2. ä', 'conversation_id''s 2. ä', '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_user_links (tenant, connection, user_key, external, fingerprint, claimed_by, claimed_at, updated_at) VALUES ('tenant''s 1. ä', 'connection''s 1. ä', 'user_key''s 1. ä', 'external''s 1. ä', 'fingerprint''s 1. ä', 'claimed_by''s 1. ä', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_user_links (tenant, connection, user_key, external, fingerprint, claimed_by, claimed_at, updated_at) VALUES ('tenant''s 2. ä', 'connection''s 2. ä', 'user_key''s 2. ä', 'external''s 2. ä', 'fingerprint''s 2. ä', 'claimed_by''s 2. ä', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00');
INSERT INTO hitl_workers (id, started_at, seen_at) VALUES ('id''s 1. ä', '2026-03-01 12:30:00.250000+00:00', '2026-03-01 12:30:00.250000+00:00');
INSERT INTO hitl_workers (id, started_at, seen_at) VALUES ('id''s 2. ä', '2026-03-02 12:30:00.250000+00:00', '2026-03-02 12:30:00.250000+00:00');
