#!/bin/sh
# Makes the database when there is none, then becomes the server.
set -eu

if [ "${1:-}" = "${1#-}" ] && [ "${1:-mariadbd}" != mariadbd ]; then
	exec "$@"
fi
[ "${1:-}" != mariadbd ] || shift

data=/var/lib/mysql
common="--no-defaults --lc-messages-dir=/usr/share/mysql --character-sets-dir=/usr/share/mysql/charsets --plugin-dir=/usr/lib/mysql/plugin"
if [ ! -d "$data/mysql" ]; then
	if [ -z "${MARIADB_USER:-}" ] || [ -z "${MARIADB_PASSWORD:-}" ] || [ -z "${MARIADB_DATABASE:-}" ]; then
		echo "MARIADB_USER, MARIADB_PASSWORD and MARIADB_DATABASE are not all set." >&2
		exit 1
	fi
	# What a crash left half made is made anew; the folder that says that all is there is moved last.
	new=$data/.new
	rm -rf "$new"
	mkdir "$new"
	{
		printf '%s\n' 'create database mysql;' 'use mysql;'
		cd /usr/share/mysql
		echo 'set @auth_root_socket=NULL, @skip_auth_anonymous=1;'
		cat mysql_system_tables.sql mysql_performance_tables.sql mysql_system_tables_data.sql
		printf '%s\n' 'delete from global_priv where User in ("root", "");' 'flush privileges;'
		echo "create database \`$MARIADB_DATABASE\`;"
		echo "create user '$MARIADB_USER'@'%' identified by '$MARIADB_PASSWORD';"
		echo "grant all on \`$MARIADB_DATABASE\`.* to '$MARIADB_USER'@'%';"
	} | mariadbd $common --bootstrap --datadir="$new" --tmpdir=/tmp
	rm -f "$data"/ib* "$data"/aria*
	for part in "$new"/*; do
		[ "$part" = "$new/mysql" ] || { rm -rf "$data/${part##*/}" && mv "$part" "$data/"; }
	done
	mv "$new/mysql" "$data/"
	rm -rf "$new"
fi
# Tests give it 128 MiB, all of which its own default would take: after a crash it does, and is ended for it.
exec mariadbd $common --innodb-buffer-pool-size=32M --datadir="$data" --tmpdir=/tmp --socket=/tmp/mariadb.sock --pid-file=/tmp/mariadb.pid --bind-address='*' --skip-name-resolve "$@"
