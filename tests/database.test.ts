import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from './database.ts';

test('clones are separate databases', async () => {
  await using one = await createTestDatabase();
  await using two = await createTestDatabase();
  await one.db.hot.query(`UPDATE registration_source SET name = 'changed'`);
  const { rows } = await two.db.hot.query(`SELECT 1 FROM registration_source WHERE name = 'changed'`);
  expect(rows).toEqual([]);
});

test('the gate adds to history and cannot change it', async () => {
  await using database = await createTestDatabase();
  await expect(database.db.hot.query('DELETE FROM audit_event')).rejects.toThrow(/permission denied/);
  await expect(database.db.hot.query('TRUNCATE audit_event')).rejects.toThrow(/permission denied/);
  // Nor can it choose when its event arrived.
  await expect(database.db.hot.query('INSERT INTO audit_event (arrival) VALUES (99)')).rejects.toThrow(
    /permission denied/,
  );
});

test('the console writes nothing and sees no secret', async () => {
  await using database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.urls.console });
  await client.connect();
  try {
    await expect(client.query('SELECT hash FROM password_credential')).rejects.toThrow(/permission denied/);
    await expect(client.query('SELECT private_sealed FROM signing_key')).rejects.toThrow(/permission denied/);
    await expect(client.query('UPDATE person SET display_name = $1', ['x'])).rejects.toThrow(
      /permission denied/,
    );
  } finally {
    await client.end();
  }
});
