// Package replset decides how a MongoDB replica set comes to what is declared: from what every member says to the one next
// step, a pure function. Whoever drives it observes, takes the step, and observes again, so that it can be cut off
// anywhere and begun anew. Rules and codes: reference section 3.5 and 3.6, the manual's pages on replSetReconfig and
// replSetInitiate, and src/mongo/base/error_codes.yml of the server.
package replset
