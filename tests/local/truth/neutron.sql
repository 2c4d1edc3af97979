-- Rows for the loops of 5bcb7b31ec7d (a trusted port) and b1bca967e19d (two ranges that are the same).
INSERT INTO standardattributes (id, resource_type)
VALUES (901, 'networks'), (902, 'ports'), (903, 'network_segment_ranges'), (904, 'network_segment_ranges');
INSERT INTO networks (id, status, admin_state_up, standard_attr_id) VALUES ('n1', 'ACTIVE', 1, 901);
INSERT INTO ports (id, network_id, mac_address, admin_state_up, status, device_id, device_owner, standard_attr_id)
VALUES ('p1', 'n1', 'fa:16:3e:00:00:01', 1, 'ACTIVE', '', '', 902);
INSERT INTO ml2_port_bindings (port_id, host, vif_type, vnic_type, profile, vif_details, status)
VALUES ('p1', 'cmp1', 'ovs', 'normal', '{"trusted": "true"}', '', 'ACTIVE');
INSERT INTO network_segment_ranges (id, `default`, shared, network_type, minimum, maximum, standard_attr_id)
VALUES ('r1', 0, 1, 'vxlan', 1, 9, 903), ('r2', 0, 1, 'vxlan', 1, 9, 904);
