-- A credential that ends is changed once, in columns no index covers. With room left on its page the new version stays
-- there and the table's indexes, two of them over digests, are not written again. Pages written before keep their shape.
ALTER TABLE credential SET (fillfactor = 80);
