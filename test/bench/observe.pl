# Writes down which packets passed, and when: one line each, the kernel's time and the packet from its IP header on, in
# hex. What is looked at is decided by the socket filter that is given (see observer.ts): the rest costs us nothing.
use strict;
use warnings;

my $code = pack 'H*', $ARGV[0];
socket(my $wire, 17, 2, 8) or die "a packet socket: $!\n";                      # AF_PACKET, SOCK_DGRAM, IPv4
my $filter = pack 'S x![P] P', length($code) / 8, $code;
setsockopt($wire, 1, 26, $filter) or die "the filter: $!\n";                    # SO_ATTACH_FILTER
setsockopt($wire, 1, 33, pack 'i', 32 << 20);                                   # SO_RCVBUFFORCE
my $end = 0;
$SIG{TERM} = sub { $end = 1 };
$| = 1;
print "ready\n";
$| = 0;
until ($end) {
  defined recv($wire, my $packet, 65536, 0) or next;
  my $time = pack 'qq', 0, 0;
  ioctl($wire, 0x8906, $time) or die "the time: $!\n";                          # SIOCGSTAMP
  my ($seconds, $microseconds) = unpack 'qq', $time;
  printf "%d.%06d %s\n", $seconds, $microseconds, unpack 'H*', $packet;
}
