import { fakeBench } from '../fakes/fake-bench.ts'
import { contract } from '../stories/contract.ts'

contract(fakeBench)
