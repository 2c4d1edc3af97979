-- Flavors, a key pair and the compute hosts' mappings. The mappings of the servers come with the servers.
INSERT INTO flavors (created_at, name, memory_mb, vcpus, swap, flavorid, rxtx_factor, root_gb, ephemeral_gb, disabled, is_public)
  SELECT '2023-03-01 12:00:00', concat('m1.', seq), 512 * seq, seq, 0, seq, 1, 10 * seq, 0, 0, 1 FROM seq_1_to_4;
INSERT INTO key_pairs (created_at, name, user_id, fingerprint, public_key) VALUES
  ('2023-03-01 12:00:00', 'laptop', md5('user-1'), '00:11:22:33', 'ssh-ed25519 AAAA');
INSERT INTO host_mappings (created_at, cell_id, host)
  SELECT '2023-03-01 12:00:00', id, concat('compute-', substr(name, 5)) FROM cell_mappings WHERE name <> 'cell0';
