-- A domain, five projects and six users with passwords and roles: rows that an upgrade has to leave as they are.
INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain) VALUES
  ('default', 'Default', '{}', 'The default domain', 1, '<<keystone.domain.root>>', NULL, 1);
INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain)
  SELECT md5(concat('project-', seq)), concat('project-', seq), '{}', '', 1, 'default', 'default', 0 FROM seq_1_to_5;
INSERT INTO user (id, extra, enabled, default_project_id, created_at, domain_id)
  SELECT md5(concat('user-', seq)), '{}', 1, md5('project-1'), '2023-03-01 12:00:00', 'default' FROM seq_1_to_6;
INSERT INTO local_user (id, user_id, domain_id, name)
  SELECT seq, md5(concat('user-', seq)), 'default', concat('user-', seq) FROM seq_1_to_6;
INSERT INTO password (local_user_id, self_service, password_hash, created_at, created_at_int)
  SELECT seq, 0, concat('$2b$12$', repeat('x', 53)), '2023-03-01 12:00:00', 1677672000000000 FROM seq_1_to_6;
INSERT INTO role (id, name, extra) VALUES
  (md5('admin'), 'admin', '{}'), (md5('member'), 'member', '{}'), (md5('reader'), 'reader', '{}');
INSERT INTO assignment (type, actor_id, target_id, role_id, inherited)
  SELECT 'UserProject', md5(concat('user-', seq)), md5('project-1'), md5('member'), 0 FROM seq_1_to_6;
