-- Four flavors and a key pair.
INSERT INTO flavors (created_at, name, memory_mb, vcpus, swap, flavorid, rxtx_factor, root_gb, ephemeral_gb, disabled, is_public)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4)
  SELECT '2023-03-01 12:00:00', 'm1.' || i, 512 * i, i, 0, 'flavor-' || i, 1, 10 * i, 0, FALSE, TRUE FROM n;
INSERT INTO key_pairs (created_at, name, user_id, fingerprint, public_key, type) VALUES
  ('2023-03-01 12:00:00', 'laptop', 'user-1', '00:11:22:33', 'ssh-ed25519 AAAA', 'ssh');
