-- Where nova finds the cell {name}.
INSERT INTO cell_mappings (created_at, uuid, name, transport_url, database_connection, disabled) VALUES
  ('2023-03-01 12:00:00',
   CASE {number} WHEN 0 THEN '00000000-0000-0000-0000-000000000000' ELSE 'c1000000-0000-4000-8000-' || (100000000000 + {number}) END,
   '{name}', 'none:///{name}', '{url}', FALSE);
