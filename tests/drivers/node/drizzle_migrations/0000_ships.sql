CREATE TYPE app_drizzle.mood AS ENUM ('sad', 'glad');
--> statement-breakpoint
CREATE TABLE app_drizzle.ships (id serial PRIMARY KEY, name text NOT NULL UNIQUE, mood app_drizzle.mood DEFAULT 'glad');
