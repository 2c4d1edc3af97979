-- A domain, five projects and six users with passwords: rows that an upgrade has to leave as they are.
INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain) VALUES
  ('default', 'Default', '{}', 'The default domain', TRUE, '<<keystone.domain.root>>', NULL, TRUE);
INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5)
  SELECT 'project-' || i, 'project-' || i, '{}', '', TRUE, 'default', 'default', FALSE FROM n;
INSERT INTO "user" (id, extra, enabled, default_project_id, created_at, domain_id)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6)
  SELECT 'user-' || i, '{}', TRUE, 'project-1', '2023-03-01 12:00:00', 'default' FROM n;
INSERT INTO local_user (id, user_id, domain_id, name)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6)
  SELECT i, 'user-' || i, 'default', 'user-' || i FROM n;
INSERT INTO password (local_user_id, self_service, password_hash, created_at, created_at_int, expires_at_int)
  SELECT id, FALSE, '$2b$12$xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', '2023-03-01 12:00:00', 1677672000000000, NULL
  FROM local_user;
