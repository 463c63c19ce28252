#!/bin/sh
# Gives the file $2 the mode $1 and the name $3.
if [ -d "$3" ]; then echo "$3 is a folder" >&2; exit 1; fi
chmod "$1" "$2" && mv -f "$2" "$3"
