-- Two projects and nine secrets with their encrypted payloads.
INSERT INTO projects (id, created_at, updated_at, deleted, status, external_id)
  SELECT insert(insert(insert(insert(md5(concat('barbican-project-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    '2023-03-01 12:00:00', '2023-03-01 12:00:00', 0, 'ACTIVE', md5(concat('project-', seq)) FROM seq_1_to_2;
INSERT INTO kek_data (id, created_at, updated_at, deleted, status, plugin_name, kek_label, project_id, active, bind_completed)
  SELECT md5(concat('kek-', id)), '2023-03-01 12:00:00', '2023-03-01 12:00:00', 0, 'ACTIVE', 'simple_crypto', md5(id), id, 1, 1 FROM projects;
INSERT INTO secrets (id, created_at, updated_at, deleted, status, name, secret_type, algorithm, bit_length, mode, creator_id, project_id)
  SELECT insert(insert(insert(insert(md5(concat('secret-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    '2023-03-01 12:00:00', '2023-03-01 12:00:00', 0, 'ACTIVE', concat('secret-', seq), 'symmetric', 'aes', 256, 'cbc', md5('user-1'),
    (SELECT id FROM projects WHERE external_id = md5('project-1')) FROM seq_1_to_9;
INSERT INTO encrypted_data (id, created_at, updated_at, deleted, status, content_type, secret_id, kek_id, cypher_text)
  SELECT md5(concat('data-', s.id)), '2023-03-01 12:00:00', '2023-03-01 12:00:00', 0, 'ACTIVE', 'application/octet-stream', s.id, k.id, 'Z0FBQUFB'
  FROM secrets s JOIN kek_data k ON k.project_id = s.project_id;
