#!/bin/sh
# boxdoctor provision: mongod renames its log; renamed ones of more than DAYS days go. The live file is never among them:
# only names with a date behind .log are looked at.
set -u
SIGNALS
find FOLDER -maxdepth 1 -type f -name 'mongod*.log.[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*' -mtime +DAYS -exec rm -f {} +
