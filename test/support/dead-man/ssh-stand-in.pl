#!/usr/bin/perl
# Stands for sshd on a machine of the lab: takes connections on the socket systemd hands it, and closes them. A call of
# the coordinator's machine is marked in /run/ssh22/coordinator, for whoever watches.
use strict; use warnings; use Socket;
open(my $listener, "+<&=", 3) or die "no socket: $!";
mkdir "/run/ssh22";
while (1) {
  my $peer = accept(my $client, $listener) or next;
  my ($port, $address) = sockaddr_in($peer);
  if (inet_ntoa($address) eq "10.77.0.10") { open(my $mark, ">", "/run/ssh22/coordinator"); print $mark time; close $mark; }
  close $client;
}
