ALTER TABLE app_drizzle.ships ADD COLUMN tons integer DEFAULT 7;
--> statement-breakpoint
INSERT INTO app_drizzle.ships (name) VALUES ('Ada'), ('Bob');
