#!/usr/bin/perl
# Accepts on every given port, and closes. Usage: listener.pl PORT...
use strict; use warnings; use Socket;
$SIG{CHLD} = 'IGNORE';
for my $port (@ARGV) {
  socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($s, pack_sockaddr_in($port, INADDR_ANY)) or die "bind $port: $!";
  listen($s, 256) or die "listen: $!";
  next if fork;
  while (1) { my $c; accept($c, $s) and close $c }
}
sleep;
