#!/usr/bin/perl
# Accepts on PORT and closes, for ever: something must be there for a leak to be one.
use strict; use warnings; use Socket;
socket(my $s, AF_INET, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
bind($s, pack_sockaddr_in($ARGV[0], INADDR_ANY)) or die "bind: $!"; listen($s, 4096) or die;
while (1) { my $c; accept($c, $s) and close $c }
