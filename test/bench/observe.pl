# Writes down which packets passed, and when: one line each, the kernel's time and the packet from its IP header on, in
# hex. What is looked at is decided by the socket filter that is given (see observer.ts): the rest costs us nothing.
#     perl observe.pl <filter, hex> <the callers' address> <their media port>
use strict;
use warnings;
use Socket qw(inet_aton pack_sockaddr_in);

my $code = pack 'H*', $ARGV[0];
socket(my $wire, 17, 2, 8) or die "a packet socket: $!\n";                      # AF_PACKET, SOCK_DGRAM, IPv4
my $filter = pack 'S x![P] P', length($code) / 8, $code;
setsockopt($wire, 1, 26, $filter) or die "the filter: $!\n";                    # SO_ATTACH_FILTER
setsockopt($wire, 1, 33, pack 'i', 32 << 20);                                   # SO_RCVBUFFORCE
# SIPp does not listen where its callers want their sound: a socket that nobody reads stands there, so that the kernel
# drops it and does not refuse each packet (ICMP), at the sender's expense.
socket(my $ear, 2, 2, 17) or die "a socket for the callers' sound: $!\n";        # AF_INET, SOCK_DGRAM, UDP
setsockopt($ear, 1, 8, pack 'i', 1);                                            # SO_RCVBUF
bind($ear, pack_sockaddr_in($ARGV[2], inet_aton($ARGV[1]))) or die "the callers' media port $ARGV[2]: $!\n";
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
