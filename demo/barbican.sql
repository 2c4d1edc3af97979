-- Two projects and nine secrets with their encrypted payloads.
INSERT INTO projects (id, created_at, updated_at, deleted, status, external_id)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2)
  SELECT 'barbican-project-' || i, '2023-03-01 12:00:00', '2023-03-01 12:00:00', FALSE, 'ACTIVE', 'project-' || i FROM n;
INSERT INTO kek_data (id, created_at, updated_at, deleted, status, plugin_name, kek_label, project_id, active, bind_completed)
  SELECT 'kek-' || id, '2023-03-01 12:00:00', '2023-03-01 12:00:00', FALSE, 'ACTIVE', 'simple_crypto', id, id, TRUE, TRUE FROM projects;
INSERT INTO secrets (id, created_at, updated_at, deleted, status, name, secret_type, algorithm, bit_length, mode, creator_id, project_id)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
  SELECT 'c2000000-0000-4000-8000-' || (100000000000 + i), '2023-03-01 12:00:00', '2023-03-01 12:00:00', FALSE, 'ACTIVE', 'secret-' || i, 'symmetric',
    'aes', 256, 'cbc', 'user-1', 'barbican-project-1' FROM n;
INSERT INTO encrypted_data (id, created_at, updated_at, deleted, status, content_type, secret_id, kek_id, cypher_text)
  SELECT s.id, '2023-03-01 12:00:00', '2023-03-01 12:00:00', FALSE, 'ACTIVE', 'application/octet-stream', s.id, k.id, 'Z0FBQUFB'
  FROM secrets s JOIN kek_data k ON k.project_id = s.project_id;
